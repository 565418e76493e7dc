// Package web is the status page: orders live, what became of each, drops, agents and
// charts, and two actions for operators. It answers with HTML, with JSON under /api, and
// with events that tell all browsers of what one look a second found.
package web
