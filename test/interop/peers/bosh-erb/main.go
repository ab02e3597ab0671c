// Command bosh-erb renders templates of one job with the renderer of the bosh command line. It reads one JSON document
// from standard input, {"templates": [{"source": FILE, "target": NAME}], "context": {...}}, and writes {NAME: TEXT} or,
// for the first template that fails, {"error": "..."}. Ruby is taken from PATH.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/cloudfoundry/bosh-cli/v7/templatescompiler/erbrenderer"
	"github.com/cloudfoundry/bosh-utils/logger"
	"github.com/cloudfoundry/bosh-utils/system"
)

type template struct {
	Source string `json:"source"`
	Target string `json:"target"`
}

type input struct {
	Templates []template      `json:"templates"`
	Context   json.RawMessage `json:"context"`
}

// Each template is a Ruby of its own, so a few at a time.
const atOnce = 3

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bosh-erb:", err)
		os.Exit(1)
	}
}

func run() error {
	var in input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	folder, err := os.MkdirTemp("", "bosh-erb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	quiet := logger.NewLogger(logger.LevelNone)
	renderer := erbrenderer.NewERBRenderer(system.NewOsFileSystem(quiet), system.NewExecCmdRunner(quiet), quiet)
	texts, failures := make([]string, len(in.Templates)), make([]error, len(in.Templates))
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, one := range in.Templates {
		all.Add(1)
		go func() {
			defer all.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			file := filepath.Join(folder, fmt.Sprint(i))
			if failures[i] = renderer.Render(one.Source, file, in.Context); failures[i] == nil {
				texts[i], failures[i] = read(file)
			}
		}()
	}
	all.Wait()

	result := map[string]string{}
	for i, one := range in.Templates {
		if failures[i] != nil {
			return json.NewEncoder(os.Stdout).Encode(map[string]string{"error": failures[i].Error()})
		}
		result[one.Target] = texts[i]
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func read(file string) (string, error) {
	text, err := os.ReadFile(file)
	return string(text), err
}
