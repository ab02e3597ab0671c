import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['node_modules/', 'bosh-release/src/', 'dist/', '.assets/', 'test/fixtures/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers and booleans in template strings are what log and error texts are made of.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // A method that satisfies an async interface need not await.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  {
    files: ['localcf/page/assets/*.js', 'test/support/cf/contrast.js'],
    languageOptions: {
      globals: Object.fromEntries(
        'document getComputedStyle NodeFilter CSS EventSource fetch matchMedia setTimeout setInterval'
          .split(' ')
          .map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    ignores: ['localcf/page/assets/*.js', 'test/support/cf/contrast.js'],
    languageOptions: {
      globals: Object.fromEntries(
        'process console URL Buffer fetch AbortController AbortSignal setTimeout clearTimeout setInterval clearInterval'
          .split(' ')
          .map((name) => [name, 'readonly']),
      ),
    },
  },
);
