import type { ErrorCode } from 'yaml'

/** What the parser calls by a code, in words for whoever edits the file. None quotes the file. */
export const YAML_WORDS: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias (*name) cannot have a tag or an anchor of its own',
  BAD_ALIAS: 'an alias (*name) has an empty name, or one that ends with a colon',
  BAD_COLLECTION_TYPE: 'a tag (!!...) says another kind of value than stands there',
  BAD_DIRECTIVE: 'a line that begins with % is no directive that YAML knows; remove it',
  BAD_DQ_ESCAPE:
    'a backslash in double quotes is followed by no escape; write \\\\, or use single quotes',
  BAD_INDENT: 'the line is indented too little or too much; align it with its neighbours',
  BAD_PROP_ORDER: 'an anchor or a tag stands in the wrong place; it comes before the value',
  BAD_SCALAR_START:
    'a value cannot begin with this character (@, `, %, | and the like); put it in quotes',
  BLOCK_AS_IMPLICIT_KEY:
    'a second "key: value" stands on the same line; put it on its own, or quote the value',
  BLOCK_IN_FLOW:
    'a list or mapping over several lines stands inside [...] or {...}; close that first',
  DUPLICATE_KEY: 'the key stands twice in this section; remove one',
  IMPOSSIBLE: 'the text cannot be understood here',
  KEY_OVER_1024_CHARS: 'a key is longer than 1024 characters; is a quote or a line end missing?',
  MISSING_CHAR:
    'something is missing here: a closing quote or bracket, a comma, or a space after a colon',
  MULTILINE_IMPLICIT_KEY: 'a key goes over several lines; is a colon or a quote missing?',
  MULTIPLE_ANCHORS: 'a value has two anchors (&name); keep one',
  MULTIPLE_DOCS: 'a line of --- begins a second document; a file of settings has one',
  MULTIPLE_TAGS: 'a value has two tags (!!...); keep one',
  NON_STRING_KEY: 'a key must be plain text',
  RESOURCE_EXHAUSTION: 'it is nested too deeply',
  TAB_AS_INDENT: 'the line is indented with a tab; YAML takes spaces only',
  TAG_RESOLVE_FAILED:
    'a tag (a word that begins with !) is not known, or does not fit; quote the value',
  UNEXPECTED_TOKEN:
    'this does not belong here; is a line end, a quote or a bracket missing before it?',
}
