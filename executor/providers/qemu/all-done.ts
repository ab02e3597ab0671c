/**
 * What `first` gives, once all have ended. Like Promise.all, but nothing runs on any more when it rejects: what is
 * cleared away after a failure must not be made anew by a neighbour that was still at work.
 */
export async function allDone<T>(first: Promise<T>, ...others: Promise<unknown>[]): Promise<T> {
  await Promise.allSettled([first, ...others]);
  await Promise.all(others);
  return first;
}
