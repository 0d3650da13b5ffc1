package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"ocireffer/pkg/reference"
)

// A Source is a registry to read.
type Source struct {
	Host         string   // as reference.ParseRegistry returns it
	Repositories []string // the repositories to read; none: the registry's catalogue
}

// ParseSources reads a comma-separated list of registries: wasm.azurecr.io, or
// ghcr.io/acme/app for one repository of a registry without a catalogue.
func ParseSources(list string) ([]Source, error) {
	var sources []Source
	whole := map[string]bool{} // by host: read the catalogue
	for entry := range strings.SplitSeq(list, ",") {
		entry = strings.TrimSpace(entry)
		if entry == "" {
			continue
		}
		segment, repository, named := strings.Cut(entry, "/")
		host, err := reference.ParseRegistry(segment)
		if err != nil {
			return nil, err
		}
		if named {
			if err := reference.CheckRepository(repository); err != nil {
				return nil, err
			}
		}
		i := slices.IndexFunc(sources, func(s Source) bool { return s.Host == host })
		if i >= 0 && whole[host] == named {
			return nil, fmt.Errorf("%s is listed with repositories and without: want one or the other", host)
		}
		if i < 0 {
			sources, i = append(sources, Source{Host: host}), len(sources)
		}
		whole[host] = !named
		if named {
			sources[i].Repositories = append(sources[i].Repositories, repository)
		}
	}
	if len(sources) == 0 {
		return nil, fmt.Errorf("no registry in %s: want hosts such as wasmcloud.azurecr.io, separated by commas", reference.Quote(list))
	}
	return sources, nil
}
