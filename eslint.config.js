import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/**', 'guest/**', 'node_modules/**'] },
  ...tseslint.configs.recommended,
  {
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-exports': [
        'error',
        { restrictDefaultExports: { direct: true, named: true, defaultFrom: true, namedFrom: true, namespaceFrom: true } },
      ],
    },
  },
  {
    // The machine runs in a browser too: it may import nothing of the host (docs/architecture.md).
    files: ['src/machine/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['node:*', '**/gdbstub/**', '**/symbols/**', '**/trace/**', '**/cli/**'] }] },
  },
  { files: ['*.config.*', '*.config.ts'], rules: { 'no-restricted-exports': 'off' } },
);
