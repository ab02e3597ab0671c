/** Where each route lies: all that a caller must know at run time, apart from the schemas, which take long to load. */
export interface Place {
  method: 'get' | 'post' | 'delete';
  /** Parameters in braces, as OpenAPI writes them. */
  path: string;
  /** Media type of a raw body that is taken instead of a JSON one. */
  upload?: string;
}

export const PATHS = {
  info: { method: 'get', path: '/v1/info' },
  openapi: { method: 'get', path: '/v1/openapi.json' },
  doctor: { method: 'get', path: '/v1/doctor' },
  gc: { method: 'post', path: '/v1/gc' },
  shutdown: { method: 'post', path: '/v1/shutdown' },
  providers: { method: 'get', path: '/v1/providers' },
  providerPolicy: { method: 'get', path: '/v1/providers/{name}/policy' },
  guests: { method: 'get', path: '/v1/guests' },
  events: { method: 'get', path: '/v1/events' },
  images: { method: 'get', path: '/v1/images' },
  imageBuild: { method: 'post', path: '/v1/images', upload: 'application/x-tar' },
  image: { method: 'get', path: '/v1/images/{ref}' },
  imageTag: { method: 'post', path: '/v1/images/{ref}/tag' },
  imageVerify: { method: 'post', path: '/v1/images/{ref}/verify' },
  imageRemove: { method: 'delete', path: '/v1/images/{ref}' },
  imageDroplet: { method: 'get', path: '/v1/images/{ref}/droplet' },
  imageExport: { method: 'get', path: '/v1/images/{ref}/export' },
  instances: { method: 'get', path: '/v1/instances' },
  instanceCreate: { method: 'post', path: '/v1/instances' },
  instance: { method: 'get', path: '/v1/instances/{ref}' },
  instanceStart: { method: 'post', path: '/v1/instances/{ref}/start' },
  instanceStop: { method: 'post', path: '/v1/instances/{ref}/stop' },
  instanceRestart: { method: 'post', path: '/v1/instances/{ref}/restart' },
  instanceKill: { method: 'post', path: '/v1/instances/{ref}/kill' },
  instanceWait: { method: 'get', path: '/v1/instances/{ref}/wait' },
  instanceRemove: { method: 'delete', path: '/v1/instances/{ref}' },
  logs: { method: 'get', path: '/v1/instances/{ref}/logs' },
  kernels: { method: 'get', path: '/v1/kernels' },
  kernelImport: { method: 'post', path: '/v1/kernels' },
  kernel: { method: 'get', path: '/v1/kernels/{id}' },
  kernelPull: { method: 'post', path: '/v1/kernels/pull' },
  kernelVerify: { method: 'post', path: '/v1/kernels/{id}/verify' },
  kernelRemove: { method: 'delete', path: '/v1/kernels/{id}' },
} as const satisfies Record<string, Place>;
