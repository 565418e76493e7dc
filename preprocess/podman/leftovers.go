package podman

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"biomero-importer/preprocess"
)

// Remove kills and removes the containers of an order.
func (c *Client) Remove(ctx context.Context, order string) error {
	return c.removeThose(ctx, []string{labelOrder + "=" + order}, func(found string) (bool, error) { return found == order, nil })
}

// RemoveLeftovers does so for the orders of this installation that atWork denies.
func (c *Client) RemoveLeftovers(ctx context.Context, atWork func(ctx context.Context, order string) (bool, error)) error {
	known := map[string]bool{} // an order has a container for each input
	return c.removeThose(ctx, nil, func(order string) (bool, error) {
		left, asked := known[order]
		if !asked {
			busy, err := atWork(ctx, order)
			if err != nil {
				return false, err
			}
			left = !busy
			known[order] = left
		}
		return left, nil
	})
}

func (c *Client) removeThose(ctx context.Context, labels []string, concerned func(order string) (bool, error)) error {
	s, err := c.connect(ctx)
	if err != nil {
		return err
	}
	containers, err := s.list(ctx, append(labels, labelInstallation+"="+c.options.Installation)...)
	if err != nil {
		return err
	}
	var faults []error
	for _, found := range containers {
		order := found.Labels[labelOrder]
		// A filter that some version understands otherwise must not reach others.
		if !c.owns(found.Labels) {
			continue
		}
		yes, err := concerned(order)
		if err != nil {
			return errors.Join(append(faults, err)...)
		}
		if !yes {
			continue
		}
		if err := s.remove(ctx, found.ID); err != nil {
			if errors.Is(err, preprocess.ErrUnavailable) || ctx.Err() != nil {
				return errors.Join(append(faults, err)...)
			}
			faults = append(faults, fmt.Errorf("removing the container %s: %w", found.ID, err))
			continue
		}
		c.log.InfoContext(ctx, "removed a container", slog.String("order", order), slog.String("container", found.ID))
	}
	return errors.Join(faults...)
}
