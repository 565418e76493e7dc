// Package notify tells others of orders that have ended: webhooks, and users by mail. What is
// due is in the database, written with the end of each order, so that neither a crash nor a
// receiver that is away loses it, and nothing here can hold an import up.
package notify
