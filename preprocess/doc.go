// Package preprocess will run converters in containers before an import. This
// version refuses orders that ask for one.
package preprocess
