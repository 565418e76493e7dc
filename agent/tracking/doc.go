// Package tracking is the program's only SQL: the tables that clients share
// with us, our own schema "importer" beside them, and every statement that
// reads or changes either. Each exported method is one transaction, so that a
// crash leaves the database before it or after it and never between.
package tracking
