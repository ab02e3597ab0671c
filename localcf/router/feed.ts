/** Registrations for a router from NATS, or from what stands in for it (gorouter `mbus/subscriber.go`). */
import type { Heard, Wire } from '../../backend/wire/nats.js';
import { readRegistration } from '../../backend/wire/registration.js';
import { messageOf } from '../../core/errors.js';
import type { Log } from '../../core/log.js';
import type { Router } from './index.js';

/** Listens until the function it returns is called. What cannot be read is logged and dropped: nobody waits for an answer. */
export function feedRouter(router: Router, wire: Wire, log: Log): () => void {
  const hear = ({ subject, payload, reply }: Heard): void => {
    try {
      if (subject === 'router.register') router.register(readRegistration(payload), false);
      if (subject === 'router.unregister') router.unregister(readRegistration(payload));
      if (subject === 'router.greet' && reply !== '') wire.publish(reply, router.start);
    } catch (err) {
      log.warn({ subject, reason: messageOf(err) }, 'router.message-refused');
    }
  };
  const undo = [
    wire.subscribe('router.*', hear),
    wire.onState((isConnected) => {
      router.canHear(isConnected);
      if (isConnected) wire.publish('router.start', router.start);
    }),
  ];
  return () => {
    for (const stop of undo) stop();
  };
}
