// Command biomero-importer watches shared storage for images and import
// orders, and imports them into OMERO in place.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == guardCommand {
		os.Exit(guard(os.Args[2:]))
	}
	ctx, cancel := context.WithCancel(context.Background())
	abort := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		close(abort)
		signal.Reset() // a third one ends the process as it is
	}()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv, abort: abort}
	os.Exit(a.main(ctx, os.Args[1:]))
}
