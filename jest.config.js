/** One configuration; the suites are folders: `npm test` and `npm run check` choose among them by path. */
export default {
  testEnvironment: 'node',
  // Its wraps around what a file left behind call themselves for ever: a child that ends later would end the whole run.
  testEnvironmentOptions: { globalsCleanup: 'off' },
  // Machines are shared: a test is over when it has failed, not when the neighbours are busy.
  testTimeout: 30_000,
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/test/fixtures/'],
  modulePathIgnorePatterns: [
    '<rootDir>/dist',
    '<rootDir>/bosh-release/src',
    '<rootDir>/.assets',
    '<rootDir>/test/fixtures',
  ],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' }, keepClassNames: true },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};
