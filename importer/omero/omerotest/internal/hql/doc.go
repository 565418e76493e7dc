// Package hql answers the few queries that the program asks, and no others. It
// reads them as Hibernate does as far as quotes and numbers go, so that a value
// that was not quoted rightly fails here too.
package hql
