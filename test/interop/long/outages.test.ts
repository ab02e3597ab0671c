/** The outages of `test/interop/diego/outages.test.ts`, a minute long as on a foundation. */
process.env['UNIK_OUTAGE_MS'] ??= '60000';
await import('../diego/outages.test.js');
