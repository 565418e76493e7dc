package tracking

import (
	"net"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// connectTime bounds one try to connect, to each host that the address names: one
// that is gone without a word must not keep us from the next one. The address may
// say otherwise.
const connectTime = 5 * time.Second

// How soon either end of a connection notices that the other's machine or network
// is gone. One that has sent all it had asks; one that has not waits for the receipt.
const (
	aliveIdle     = 5 * time.Second
	aliveInterval = 3 * time.Second
	aliveCount    = 3
	receiptTime   = aliveIdle + aliveCount*aliveInterval
)

// dialer makes our end notice. Without it a pool full of dead connections, or a
// transaction on one, would hold up for minutes what another host could do.
var dialer = net.Dialer{
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: aliveIdle, Interval: aliveInterval, Count: aliveCount},
	Control: func(network, _ string, c syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		var err error
		if ctlErr := c.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(receiptTime.Milliseconds()))
		}); ctlErr != nil {
			return ctlErr
		}
		return err
	},
}
