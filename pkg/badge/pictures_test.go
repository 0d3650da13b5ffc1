package badge_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"ocireffer/pkg/badge"
)

var update = flag.Bool("update", false, "draw the documentation's pictures anew")

// TestPictures: the pictures in README.md and .github/docs are what this package draws.
func TestPictures(t *testing.T) {
	t.Parallel()
	const color = "253746"
	for name, b := range map[string]badge.Badge{
		"reference": {Message: "wasmcloud.azurecr.io/wash:0.18.1", Color: color},
		"semver":    {Message: "wasmcloud.azurecr.io/wash:0.19.0", Color: color},
		"tag":       {Label: "wash", Message: "0.18.1", Color: color},
		"version":   {Label: "stable", Message: "0.18.0", Color: color},
		"date":      {Label: "pushed", Message: "2023-07-03", Color: "blue", IsSquare: true},
		"pinned":    {Message: "wasmcloud.azurecr.io/wash:0.18.1@sha256:0116c9dd…", Color: color},
		"unknown":   {Message: "Provider not yet published", Color: "lightgrey", IsError: true},
		"nomatch":   {Message: "No tag matches", Color: "lightgrey", IsError: true},
		"mistake":   {Message: "invalid query parameter: sort", Color: "red", IsError: true},
	} {
		file := filepath.Join("../../.github/badges", name+".svg")
		if *update {
			if err := os.WriteFile(file, b.SVG(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b.SVG()) {
			t.Errorf("%s is out of date: go test ./pkg/badge -run TestPictures -update", file)
		}
	}
}
