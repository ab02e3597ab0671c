/** Every reader against 100 000 damaged inputs each, bounded in time; a line for each says how many there were. */
process.env['UNIK_FUZZ_ROUNDS'] ??= '100000';
for (const name of ['roots', 'kernels', 'programs', 'records']) await import(`../../integration/fuzz/${name}.test.js`);
