/** The readers of roots against 100 000 damaged images each, bounded in time. */
process.env['UNIK_FUZZ_ROUNDS'] ??= '100000';
await import('../../integration/images/roots.test.js');
