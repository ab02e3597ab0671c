import { z } from 'zod';
import { errorBody, streamError } from './schema/common.js';
import { ROUTES, type Route } from './schema/routes.js';

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of the whole API, made from the table that the server serves. */
export function openapi(version: string): Json {
  const paths: Record<string, Json> = {};
  for (const [name, route] of Object.entries(ROUTES) as [string, Route][]) {
    (paths[route.path] ??= {})[route.method] = operation(name, route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'UniK',
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'Streams are NDJSON. One that fails after its first line ends with a line `{"error": ...}`. ' +
        'Other failures are an Error body with a status of its own.',
    },
    paths,
    components: {
      schemas: { Error: schema(errorBody, 'output') },
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'Only on TCP.' } },
    },
    security: [{}, { token: [] }],
  };
}

function operation(name: string, route: Route): Json {
  const body: Json = {};
  if (route.body) body['application/json'] = { schema: schema(route.body, 'input') };
  if (route.upload !== undefined) body[route.upload] = {};
  const content: Json = {};
  if (route.reply) content['application/json'] = { schema: schema(route.reply, 'output') };
  if (route.stream)
    content['application/x-ndjson'] = { schema: schema(z.union([route.stream, streamError]), 'output') };
  if (route.download !== undefined) content[route.download] = {};
  return {
    operationId: name,
    summary: route.summary,
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query')],
    ...(Object.keys(body).length > 0 ? { requestBody: { content: body } } : {}),
    responses: {
      [route.status ?? 200]: { description: 'Done', content },
      default: {
        description: 'Refused or failed',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function parameters(from: z.ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (!from) return [];
  const { properties = {}, required = [] } = schema(from, 'input') as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, of]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: of,
  }));
}

function schema(of: z.ZodType, io: 'input' | 'output'): Json {
  // A check that JSON Schema cannot say (such as a refinement) is left out, not refused.
  const { $schema: _, ...rest } = z.toJSONSchema(of, { io, unrepresentable: 'any' });
  return rest;
}
