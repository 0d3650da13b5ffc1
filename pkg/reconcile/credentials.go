package reconcile

import (
	"encoding/json"
	"errors"
	"fmt"

	"ocireffer/pkg/reference"
	"ocireffer/pkg/registry"
)

// Credentials are the credentials for reading registries, by host.
type Credentials map[string]registry.Credential

// ParseCredentials reads {"HOST": {"user": "…", "password": "…"}}. The text is secret, so
// its errors show none of it.
func ParseCredentials(text string) (Credentials, error) {
	var entries map[string]struct{ User, Password string }
	if err := json.Unmarshal([]byte(text), &entries); err != nil {
		return nil, errors.New(`credentials are not JSON such as {"wasmcloud.azurecr.io": {"user": "…", "password": "…"}}`)
	}
	credentials := Credentials{}
	for name, e := range entries {
		host, err := reference.ParseRegistry(name)
		if err != nil {
			return nil, fmt.Errorf("credentials: %w", err)
		}
		if e.User == "" || e.Password == "" {
			return nil, fmt.Errorf("credentials of %s: want both a user and a password", host)
		}
		credentials[host] = registry.Credential{User: e.User, Password: e.Password}
	}
	return credentials, nil
}
