//go:build tools

// Package vsphere pins the vSphere simulator.
package vsphere

import _ "github.com/vmware/govmomi/vcsim"
