/** UAA's error bodies: `{error, error_description}`. */
export class UaaError extends Error {
  override readonly name = 'UaaError';
  constructor(
    readonly status: number,
    readonly error: string,
    message: string,
  ) {
    super(message);
  }
}

export const badCredentials = (): UaaError => new UaaError(401, 'unauthorized', 'Bad credentials');
export const badClient = (): UaaError => new UaaError(401, 'invalid_client', 'Bad client credentials');
export const badToken = (text = 'The token expired, was revoked, or the token ID is incorrect.'): UaaError =>
  new UaaError(401, 'invalid_token', text);
export const noScope = (): UaaError => new UaaError(403, 'insufficient_scope', 'Insufficient scope for this resource');
export const badRequest = (text: string): UaaError => new UaaError(400, 'invalid_request', text);
