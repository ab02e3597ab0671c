/**
 * Every route of the API, once. The server binds a handler to each (a missing one is a compile error), the client
 * calls by its name, and the OpenAPI document is made from it: the three cannot differ.
 */
import { z } from 'zod';
import * as i from './instances.js';
import * as m from './images.js';
import * as s from './system.js';

export interface Route {
  method: 'get' | 'post' | 'delete';
  /** Parameters in braces, as OpenAPI writes them. */
  path: string;
  summary: string;
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** Media type of a raw body that is taken instead of a JSON one. */
  upload?: string;
  /** The JSON reply; with `stream`, what is given when the caller does not accept NDJSON. */
  reply?: z.ZodType;
  /** One line of the NDJSON reply. */
  stream?: z.ZodType;
  /** Media type of a raw reply. */
  download?: string;
  status?: 200 | 201;
}

export const ROUTES = {
  info: { method: 'get', path: '/v1/info', summary: 'What this daemon is', reply: s.info },
  openapi: {
    method: 'get',
    path: '/v1/openapi.json',
    summary: 'This document',
    reply: z.record(z.string(), z.unknown()),
  },
  doctor: { method: 'get', path: '/v1/doctor', summary: 'What works on this host', reply: s.doctorReport },
  gc: { method: 'post', path: '/v1/gc', summary: 'Remove strays', body: s.gcRequest, reply: s.gcReply },
  shutdown: {
    method: 'post',
    path: '/v1/shutdown',
    summary: 'Stop all machines, then the daemon',
    reply: s.shutdownReply,
  },
  providers: { method: 'get', path: '/v1/providers', summary: 'List providers', reply: z.array(s.providerView) },
  guests: { method: 'get', path: '/v1/guests', summary: 'List guests', reply: z.array(s.guestView) },
  events: {
    method: 'get',
    path: '/v1/events',
    summary: 'Follow what happens',
    query: i.eventsQuery,
    stream: i.eventLine,
  },

  images: { method: 'get', path: '/v1/images', summary: 'List images', reply: z.array(m.imageSummary) },
  imageBuild: {
    method: 'post',
    path: '/v1/images',
    summary: 'Build an image from a folder or an uploaded tar stream',
    query: m.buildQuery,
    body: m.buildRequest,
    upload: 'application/x-tar',
    reply: m.imageSummary,
    stream: m.buildLine,
    status: 201,
  },
  image: {
    method: 'get',
    path: '/v1/images/{ref}',
    summary: 'Inspect an image',
    params: m.imageRef,
    reply: m.imageDetail,
  },
  imageTag: {
    method: 'post',
    path: '/v1/images/{ref}/tag',
    summary: 'Name an image',
    params: m.imageRef,
    body: m.tagRequest,
    reply: m.imageSummary,
  },
  imageVerify: {
    method: 'post',
    path: '/v1/images/{ref}/verify',
    summary: 'Compute the digest again',
    params: m.imageRef,
    reply: m.imageSummary,
  },
  imageRemove: {
    method: 'delete',
    path: '/v1/images/{ref}',
    summary: 'Remove an image or a name of it',
    params: m.imageRef,
    query: m.imageRemoveQuery,
    reply: m.imageRemoved,
  },
  imageDroplet: {
    method: 'get',
    path: '/v1/images/{ref}/droplet',
    summary: 'Download it as a Cloud Foundry droplet',
    params: m.imageRef,
    download: 'application/gzip',
  },

  instances: {
    method: 'get',
    path: '/v1/instances',
    summary: 'List instances',
    query: i.listQuery,
    reply: z.array(i.instanceSummary),
  },
  instanceCreate: {
    method: 'post',
    path: '/v1/instances',
    summary: 'Create an instance without starting it',
    body: i.instanceRequest,
    reply: i.instanceSummary,
    status: 201,
  },
  instance: {
    method: 'get',
    path: '/v1/instances/{ref}',
    summary: 'Inspect an instance',
    params: i.instanceRef,
    query: i.inspectQuery,
    reply: i.instanceDetail,
  },
  instanceStart: {
    method: 'post',
    path: '/v1/instances/{ref}/start',
    summary: 'Boot a machine for it',
    params: i.instanceRef,
    body: i.startRequest,
    reply: i.instanceSummary,
  },
  instanceStop: {
    method: 'post',
    path: '/v1/instances/{ref}/stop',
    summary: 'SIGTERM, grace, power-off',
    params: i.instanceRef,
    body: i.stopRequest,
    reply: i.instanceSummary,
  },
  instanceRestart: {
    method: 'post',
    path: '/v1/instances/{ref}/restart',
    summary: 'Stop, then start',
    params: i.instanceRef,
    body: i.restartRequest,
    reply: i.instanceSummary,
  },
  instanceKill: {
    method: 'post',
    path: '/v1/instances/{ref}/kill',
    summary: 'Send a signal',
    params: i.instanceRef,
    body: i.killRequest,
    reply: i.instanceSummary,
  },
  instanceWait: {
    method: 'get',
    path: '/v1/instances/{ref}/wait',
    summary: 'Wait for it to run or end',
    params: i.instanceRef,
    query: i.waitQuery,
    reply: i.waitReply,
  },
  instanceRemove: {
    method: 'delete',
    path: '/v1/instances/{ref}',
    summary: 'Remove it and its logs',
    params: i.instanceRef,
    query: i.removeQuery,
    reply: i.instanceSummary,
  },
  logs: {
    method: 'get',
    path: '/v1/instances/{ref}/logs',
    summary: 'Read or follow its output',
    params: i.instanceRef,
    query: i.logsQuery,
    stream: i.logLine,
  },

  kernels: { method: 'get', path: '/v1/kernels', summary: 'List kernels', reply: z.array(m.kernelView) },
  kernelImport: {
    method: 'post',
    path: '/v1/kernels',
    summary: 'Import an unpacked Linux kernel package',
    body: m.kernelImport,
    reply: m.kernelView,
    status: 201,
  },
  kernelVerify: {
    method: 'post',
    path: '/v1/kernels/{id}/verify',
    summary: 'Compute the digest again',
    params: m.kernelRef,
    reply: m.kernelVerified,
  },
  kernelRemove: {
    method: 'delete',
    path: '/v1/kernels/{id}',
    summary: 'Remove a kernel',
    params: m.kernelRef,
    reply: m.kernelVerified,
  },
} as const satisfies Record<string, Route>;

export type Routes = typeof ROUTES;
export type RouteName = keyof Routes;

/** What a caller gives, before defaults. */
export type CallInput<N extends RouteName> = Side<Routes[N], 'input'>;
/** What a handler gets, after parsing. */
export type CallOutput<N extends RouteName> = Side<Routes[N], 'output'>;
export type ReplyOf<N extends RouteName> = Routes[N] extends { reply: infer Z extends z.ZodType } ? z.output<Z> : never;
export type LineOf<N extends RouteName> = Routes[N] extends { stream: infer Z extends z.ZodType } ? z.output<Z> : never;

type Side<R, D extends 'input' | 'output'> = (R extends { params: infer Z extends z.ZodType }
  ? { params: Of<Z, D> }
  : unknown) &
  (R extends { query: infer Z extends z.ZodType } ? { query: Of<Z, D> } : unknown) &
  (R extends { body: infer Z extends z.ZodType } ? Body<R, Of<Z, D>, D> : unknown);
/** Where a raw body may be sent instead, the caller may leave the JSON one out. */
type Body<R, B, D> = R extends { upload: string } ? (D extends 'input' ? { body?: B } : { body: B }) : { body: B };
type Of<Z extends z.ZodType, D> = D extends 'input' ? z.input<Z> : z.output<Z>;
