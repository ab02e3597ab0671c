export { createGateway, type GatewayOptions } from './gateway.js';
export { serveIngress, type IngressServer, type IngressServerOptions } from './ingress.js';
export { keptStore } from './journal.js';
export { createStore, type LogStore, type StoreOptions } from './store.js';
export { createLogStream, type StreamOptions } from './stream.js';
