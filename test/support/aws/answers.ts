import type { ServerResponse } from 'node:http';

export interface Answer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

export const ebsError = (name: string): Record<string, string> => ({
  'content-type': 'application/json',
  'x-amzn-errortype': name,
});

export function xmlError(code: string, status: number): Answer {
  return {
    status,
    body: `<?xml version="1.0"?><Response><Errors><Error><Code>${code}</Code><Message>${code} for a test</Message></Error></Errors><RequestID>x</RequestID></Response>`,
  };
}

/** In the form of the service that was asked: EBS's, or EC2's. */
export function refuse(response: ServerResponse, ebs: boolean, code: string, status: number): void {
  if (ebs) response.writeHead(status, ebsError(code)).end(JSON.stringify({ message: `${code} for a test` }));
  else response.writeHead(status, { 'content-type': 'text/xml' }).end(xmlError(code, status).body);
}
