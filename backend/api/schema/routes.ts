/**
 * Every route of the API, once. The server binds a handler to each (a missing one is a compile error), the client
 * calls by its name, and the OpenAPI document is made from it: the three cannot differ.
 */
import { z } from 'zod';
import { PATHS, type Place } from './paths.js';
import * as i from './instances.js';
import * as m from './images.js';
import * as s from './system.js';

export interface Route extends Place {
  summary: string;
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** The JSON reply; with `stream`, what is given when the caller does not accept NDJSON. */
  reply?: z.ZodType;
  /** One line of the NDJSON reply. */
  stream?: z.ZodType;
  /** Media type of a raw reply. */
  download?: string;
  status?: 200 | 201;
}

export const ROUTES = {
  info: { ...PATHS.info, summary: 'What this daemon is', reply: s.info },
  openapi: {
    ...PATHS.openapi,
    summary: 'This document',
    reply: z.record(z.string(), z.unknown()),
  },
  doctor: { ...PATHS.doctor, summary: 'What works on this host', reply: s.doctorReport },
  gc: { ...PATHS.gc, summary: 'Remove strays', body: s.gcRequest, reply: s.gcReply },
  shutdown: {
    ...PATHS.shutdown,
    summary: 'Stop all machines, then the daemon',
    reply: s.shutdownReply,
  },
  providers: { ...PATHS.providers, summary: 'List providers', reply: z.array(s.providerView) },
  providerPolicy: {
    ...PATHS.providerPolicy,
    summary: 'The least rights that a provider needs',
    params: s.providerRef,
    reply: s.providerPolicy,
  },
  guests: { ...PATHS.guests, summary: 'List guests', reply: z.array(s.guestView) },
  events: {
    ...PATHS.events,
    summary: 'Follow what happens',
    query: i.eventsQuery,
    stream: i.eventLine,
  },

  images: { ...PATHS.images, summary: 'List images', reply: z.array(m.imageSummary) },
  imageBuild: {
    ...PATHS.imageBuild,
    summary: 'Build an image from a folder or an uploaded tar stream',
    query: m.buildQuery,
    body: m.buildRequest,
    reply: m.imageSummary,
    stream: m.buildLine,
    status: 201,
  },
  image: {
    ...PATHS.image,
    summary: 'Inspect an image',
    params: m.imageRef,
    reply: m.imageDetail,
  },
  imageTag: {
    ...PATHS.imageTag,
    summary: 'Name an image',
    params: m.imageRef,
    body: m.tagRequest,
    reply: m.imageSummary,
  },
  imageVerify: {
    ...PATHS.imageVerify,
    summary: 'Compute the digest again',
    params: m.imageRef,
    reply: m.imageSummary,
  },
  imageRemove: {
    ...PATHS.imageRemove,
    summary: 'Remove an image or a name of it',
    params: m.imageRef,
    query: m.imageRemoveQuery,
    reply: m.imageRemoved,
  },
  imageDroplet: {
    ...PATHS.imageDroplet,
    summary: 'Download it as a Cloud Foundry droplet',
    params: m.imageRef,
    download: 'application/gzip',
  },
  imageExport: {
    ...PATHS.imageExport,
    summary: 'Download it as a disk that boots elsewhere',
    params: m.imageRef,
    query: m.exportQuery,
    download: 'application/octet-stream',
  },

  instances: {
    ...PATHS.instances,
    summary: 'List instances',
    query: i.listQuery,
    reply: z.array(i.instanceSummary),
  },
  instanceCreate: {
    ...PATHS.instanceCreate,
    summary: 'Create an instance without starting it',
    body: i.instanceRequest,
    reply: i.instanceSummary,
    status: 201,
  },
  instance: {
    ...PATHS.instance,
    summary: 'Inspect an instance',
    params: i.instanceRef,
    query: i.inspectQuery,
    reply: i.instanceDetail,
  },
  instanceStart: {
    ...PATHS.instanceStart,
    summary: 'Boot a machine for it',
    params: i.instanceRef,
    body: i.startRequest,
    reply: i.instanceSummary,
  },
  instanceStop: {
    ...PATHS.instanceStop,
    summary: 'SIGTERM, grace, power-off',
    params: i.instanceRef,
    body: i.stopRequest,
    reply: i.instanceSummary,
  },
  instanceRestart: {
    ...PATHS.instanceRestart,
    summary: 'Stop, then start',
    params: i.instanceRef,
    body: i.restartRequest,
    reply: i.instanceSummary,
  },
  instanceKill: {
    ...PATHS.instanceKill,
    summary: 'Send a signal',
    params: i.instanceRef,
    body: i.killRequest,
    reply: i.instanceSummary,
  },
  instanceWait: {
    ...PATHS.instanceWait,
    summary: 'Wait for it to run or end',
    params: i.instanceRef,
    query: i.waitQuery,
    reply: i.waitReply,
  },
  instanceRemove: {
    ...PATHS.instanceRemove,
    summary: 'Remove it and its logs',
    params: i.instanceRef,
    query: i.removeQuery,
    reply: i.instanceSummary,
  },
  logs: {
    ...PATHS.logs,
    summary: 'Read or follow its output',
    params: i.instanceRef,
    query: i.logsQuery,
    stream: i.logLine,
  },

  kernels: { ...PATHS.kernels, summary: 'List kernels', reply: z.array(m.kernelView) },
  kernelImport: {
    ...PATHS.kernelImport,
    summary: 'Import an unpacked Linux kernel package, or a prebuilt kernel of a library OS',
    body: m.kernelImport,
    reply: m.kernelView,
    status: 201,
  },
  kernel: { ...PATHS.kernel, summary: 'Inspect a kernel', params: m.kernelRef, reply: m.kernelView },
  kernelPull: {
    ...PATHS.kernelPull,
    summary: 'Fetch a prebuilt kernel from an OCI registry or by https',
    body: m.kernelPull,
    reply: m.kernelView,
    status: 201,
  },
  kernelVerify: {
    ...PATHS.kernelVerify,
    summary: 'Compute the digest again, and boot it to find its limits',
    params: m.kernelRef,
    reply: m.kernelVerified,
  },
  kernelRemove: {
    ...PATHS.kernelRemove,
    summary: 'Remove a kernel',
    params: m.kernelRef,
    reply: m.kernelRemoved,
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
