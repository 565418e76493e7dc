// Package message is what is told of the end of an order: the JSON of a webhook, what a
// site's template makes of it, its signature, and the text of a mail. Pure.
package message
