// What a type check does not see: calls that run text as code, patterns that take for ever, markup put in as text.
import parser from '@babel/eslint-parser'
import js from '@eslint/js'
import unsanitized from 'eslint-plugin-no-unsanitized'
import regexp from 'eslint-plugin-regexp'
import security from 'eslint-plugin-security'

const security_ = Object.fromEntries(Object.keys(security.rules).map(name => [`security/${name}`, 'error']))
export default [
  {
    files: ['src/**/*.ts', 'static/**/*.js'],
    languageOptions: { parser, parserOptions: { requireConfigFile: false, babelOptions: { presets: ['@babel/preset-typescript'] } } },
    plugins: { regexp, security, 'no-unsanitized': unsanitized },
    rules: {
      ...js.configs.recommended.rules,
      ...security_,
      'no-eval': 'error', 'no-implied-eval': 'error', 'no-new-func': 'error', 'no-script-url': 'error', 'no-proto': 'error', 'no-extend-native': 'error',
      'no-unsanitized/method': 'error', 'no-unsanitized/property': 'error',
      'prefer-const': 'error', 'no-var': 'error', eqeqeq: 'error',
      // what is read once from top to bottom
      'no-param-reassign': 'error', 'no-nested-ternary': 'error',
      'no-restricted-syntax': ['error',
        { selector: 'TSNonNullExpression', message: 'let the types say that it is there' },
        { selector: 'VariableDeclarator[id.type=ArrayPattern][init.type=ArrayExpression]', message: 'one declaration each' }],
      // the type check knows these better
      'no-undef': 'off', 'no-unused-vars': 'off', 'no-redeclare': 'off',
      // done on purpose, and said where it is
      'no-empty': ['error', { allowEmptyCatch: true }], 'no-control-regex': 'off',
      // every index into an object: that none is a visitor's is what the types of validate.ts are for
      'security/detect-object-injection': 'off',
      // paths are the program's own, or the operator's; patterns those of config.schema.json
      'security/detect-non-literal-fs-filename': 'off', 'security/detect-non-literal-regexp': 'off',
      // guesses; these look at how long a pattern really takes
      'security/detect-unsafe-regex': 'off', 'regexp/no-super-linear-backtracking': 'error', 'regexp/no-super-linear-move': 'error'
    }
  }
]
