/** The machine lives: its end is noticed elsewhere and ends the checks, so there is nothing to look at. */
export async function checkProcess(): Promise<undefined> {
  return undefined;
}
