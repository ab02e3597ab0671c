package main

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// The kernel's interface to pins, <linux/gpio.h>: one request hands out a line, a second sets it.
const (
	getLineHandle = 0xc16cb403
	setLineValues = 0xc040b409
	asOutput      = 1 << 1
)

type handleRequest struct {
	lines    [64]uint32
	flags    uint32
	defaults [64]uint8
	consumer [32]byte
	count    uint32
	file     int32
}

type handleValues struct {
	values [64]uint8
}

// A pin that is an output of ours as long as the program runs.
type pin struct {
	mutex sync.Mutex
	file  int
	on    bool
}

func openPin(chip string, line uint32) (*pin, error) {
	device, err := os.OpenFile(chip, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer device.Close()
	request := handleRequest{flags: asOutput, count: 1}
	request.lines[0] = line
	copy(request.consumer[:], "toaster")
	if err := control(int(device.Fd()), getLineHandle, unsafe.Pointer(&request)); err != nil {
		return nil, fmt.Errorf("line %d of %s: %w", line, chip, err)
	}
	return &pin{file: int(request.file)}, nil
}

func (p *pin) set(on bool) error {
	if p == nil {
		return errors.New("this machine has no such pin")
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var values handleValues
	if on {
		values.values[0] = 1
	}
	if err := control(p.file, setLineValues, unsafe.Pointer(&values)); err != nil {
		return err
	}
	p.on = on
	return nil
}

func (p *pin) isOn() bool {
	if p == nil {
		return false
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.on
}

func control(file int, request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(file), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}
