//go:build tools

// Package nats pins the NATS server.
package nats

import _ "github.com/nats-io/nats-server/v2"
