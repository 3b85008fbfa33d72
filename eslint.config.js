// What a type check does not see: calls that run text as code, patterns that take for ever, markup put in as text.
import parser from '@babel/eslint-parser'
import js from '@eslint/js'
import unsanitized from 'eslint-plugin-no-unsanitized'
import regexp from 'eslint-plugin-regexp'
import security from 'eslint-plugin-security'

// An override replaces the whole list of a rule, so both lists are made here.
const SYNTAX = [
  { selector: 'TSNonNullExpression', message: 'let the types say that it is there' },
  {
    selector: 'VariableDeclarator[id.type=ArrayPattern][init.type=ArrayExpression]',
    message: 'one declaration each'
  }
]
const GIVEN = 'TSTypeReference[typeName.name=/^(Share|Item|Given)$/]'
// only the gate makes a share or an item, and no type says otherwise
const FORGERY = [
  { selector: `TSAsExpression > ${GIVEN}.typeAnnotation`, message: 'only the gate makes it' },
  { selector: `TSAsExpression > .typeAnnotation ${GIVEN}`, message: 'only the gate makes it' },
  { selector: 'TSAsExpression > TSNeverKeyword', message: 'a cast to anything' },
  { selector: 'TSAsExpression > TSAnyKeyword', message: 'a cast to anything' },
  { selector: 'TSAsExpression > TSAsExpression.expression', message: 'a cast by way of another type' },
  { selector: 'TSTypeAssertion', message: 'write a cast with "as", which the other rules know' },
  { selector: 'TSAnyKeyword', message: 'any fits a share, too' }
]

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
      'no-restricted-syntax': ['error', ...SYNTAX, ...FORGERY],
      'no-warning-comments': ['error',
        { terms: ['@ts-ignore', '@ts-expect-error', '@ts-nocheck'], location: 'anywhere' }],
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
  },
  { files: ['src/gate/share.ts'], rules: { 'no-restricted-syntax': ['error', ...SYNTAX] } }
]
