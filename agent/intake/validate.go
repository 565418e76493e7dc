package intake

import (
	"errors"
	"unicode/utf8"

	"biomero-importer/agent/order"
	"biomero-importer/watcher"
)

func nameFault(path string) error {
	if utf8.ValidString(path) {
		return nil
	}
	return order.Errorf(order.Invalid, "The manifest %q has a name, or lies in a folder with one, that is not valid UTF-8: rename it.", path)
}

// Validate says why an order file of this content would be refused, whatever became
// of its files.
func (in *Intake) Validate(d watcher.Drop, data []byte) error {
	if err := nameFault(d.Path); err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if err := in.decode(in.newManifest(d), data); !errors.Is(err, errCrowded) {
		return err
	}
	return nil
}
