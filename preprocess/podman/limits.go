package podman

import (
	"fmt"
	"slices"
	"strings"

	"biomero-importer/preprocess"
)

// missingLimits are those that are set and that the host has no controller for: rootless
// podman has only what is delegated to it, and none with the old layout of cgroups.
func missingLimits(limits Limits, info hostInfo) []string {
	var missing []string
	for _, l := range []struct {
		name string
		set  bool
	}{{"memory", limits.Memory > 0}, {"cpu", limits.CPUs > 0}, {"pids", limits.Pids > 0}} {
		if l.set && !slices.Contains(info.controllers, l.name) {
			missing = append(missing, l.name)
		}
	}
	return missing
}

// checkLimits refuses to run anything where strict settings cannot be kept.
func (c *Client) checkLimits(s *service) error {
	if !c.options.Strict || len(s.missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: its host cannot limit %s, which podman.strict asks for; delegate these cgroup controllers to it, or unset podman.strict",
		preprocess.ErrUnavailable, strings.Join(s.missing, ", "))
}

// resources are the limits that can be applied.
func (c *Client) resources(s *service) *resources {
	limits, made := c.options.Limits, &resources{}
	if limits.Memory > 0 && s.limits("memory") {
		made.Memory = &memory{Limit: limits.Memory, Swap: limits.Memory}
	}
	if limits.CPUs > 0 && s.limits("cpu") {
		made.CPU = &cpu{Quota: int64(limits.CPUs * cpuPeriod), Period: cpuPeriod}
	}
	if limits.Pids > 0 && s.limits("pids") {
		made.Pids = &pids{Limit: limits.Pids}
	}
	return made
}
