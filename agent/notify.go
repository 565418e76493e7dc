package main

import (
	"context"
	"log/slog"

	"biomero-importer/agent/config"
	"biomero-importer/agent/notify"
	"biomero-importer/agent/notify/message"
	"biomero-importer/agent/order"
	"biomero-importer/agent/tracking"
)

// addressBook is a backend that knows users' mail addresses: empty where one has none.
type addressBook interface {
	Address(ctx context.Context, user string) (string, error)
}

// notifier is who tells of orders, by the settings; store is nil where it is only to try.
// images may know addresses, or be nil, and so may settled.
func notifier(c *config.Config, store *tracking.Store, images backend, settled func(tracking.DeliveryState, int), log *slog.Logger) (*notify.Notifier, error) {
	made := notify.Config{PageURL: c.Web.URL, Settled: settled}
	for _, w := range c.Notify.Webhooks {
		hook := notify.Webhook{URL: string(w.URL), Stages: w.Stages}
		var err error
		if w.Secret != "" {
			hook.Key, err = message.ParseKey(string(w.Secret))
		}
		if err == nil && w.Template != "" {
			hook.Template, err = message.ParseTemplate(w.Template)
		}
		if err != nil {
			return nil, order.Errorf(order.Invalid, "notify.webhooks: %w", err)
		}
		made.Webhooks = append(made.Webhooks, hook)
	}
	if s := &c.Notify.SMTP; s.Host != "" {
		addresses := &notify.Addresses{Known: c.Notify.Addresses, Pattern: c.Notify.AddressPattern}
		if book, ok := images.(addressBook); ok {
			addresses.Ask = book.Address
		}
		made.Mail = &notify.Mail{Host: s.Host, Port: s.Port, TLS: s.TLS, User: s.User, Password: string(s.Password), From: s.From, Address: addresses.Of}
	}
	return notify.New(made, store, log), nil
}
