package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"ocireffer/pkg/ingest"
	"ocireffer/pkg/requestlog"
)

// writers tells the log who may write.
func writers(s ingest.Settings) string {
	switch {
	case len(s.Tokens) > 0 && len(s.Secrets) > 0:
		return "with a token or a signature"
	case len(s.Tokens) > 0:
		return "with a token"
	case len(s.Secrets) > 0:
		return "with a signature"
	case s.WithoutToken:
		return "without a token"
	default:
		return "refused: not a loopback address, and no WEBHOOK_TOKEN_SHA256"
	}
}

const (
	// A request may take 30 s to arrive, and then 3 s to be answered.
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = time.Minute

	maxHeader = 64 << 10 // bytes

	finishTimeout = 10 * time.Second
)

// serve answers requests until ctx ends or damaged has an error, and then finishes those
// that have begun.
func serve(ctx context.Context, listener net.Listener, log *slog.Logger, h http.Handler, damaged <-chan error) (err error) {
	server := &http.Server{
		Handler:           requestlog.Handler(log, h),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		MaxHeaderBytes:    maxHeader,
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case err = <-damaged:
	case <-ctx.Done():
	}
	log.Info("stopping")
	return errors.Join(err, finish(server, log, finishTimeout))
}

// finish waits for the running requests, and closes the connections of those that need
// longer than timeout.
func finish(server *http.Server, log *slog.Logger, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("closing the connections of slow clients")
		return server.Close()
	}
	return err
}
