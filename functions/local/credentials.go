package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"ocireffer/pkg/reconcile"
	"ocireffer/pkg/registry"
)

// credentialsEnv is the variable with registries' credentials.
const credentialsEnv = "RECONCILE_CREDENTIALS"

// dockerHub is Docker Hub's name in Docker's configuration.
const dockerHub = "https://index.docker.io/v1/"

// A keyring has the credentials of registries: those in RECONCILE_CREDENTIALS, then those
// of docker login or az acr login.
type keyring struct {
	given  reconcile.Credentials
	docker dockerConfig
}

// dockerConfig is the part of Docker's configuration that is about credentials.
//
// See https://docs.docker.com/reference/cli/docker/login/
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string // base64 of user:password
		IdentityToken string
	}
	CredsStore  string            // the default credential helper
	CredHelpers map[string]string // credential helpers by registry
}

// newKeyring reads the credentials in env and in Docker's configuration.
func newKeyring(env environment) (keyring, error) {
	var k keyring
	if text, _ := env(credentialsEnv); text != "" {
		var err error
		if k.given, err = reconcile.ParseCredentials(text); err != nil {
			return keyring{}, usageError{fmt.Errorf("%s: %w", credentialsEnv, err)}
		}
	}
	home, _ := env("HOME")
	folder, _ := env("DOCKER_CONFIG")
	file := filepath.Join(cmp.Or(folder, filepath.Join(home, ".docker")), "config.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return keyring{}, err
	}
	if err := json.Unmarshal(text, &k.docker); err != nil {
		return keyring{}, fmt.Errorf("%s: %w", file, err)
	}
	return k, nil
}

// of returns the credential for reading a registry, or the zero credential if there is
// none.
func (k keyring) of(ctx context.Context, host string) (registry.Credential, error) {
	if c, ok := k.given[host]; ok {
		return c, nil
	}
	key := host
	if host == "docker.io" {
		key = dockerHub
	}
	if helper := cmp.Or(k.docker.CredHelpers[key], k.docker.CredsStore); helper != "" {
		return askHelper(ctx, helper, key)
	}
	auth, ok := k.docker.Auths[key]
	if !ok {
		auth = k.docker.Auths["https://"+key]
	}
	if auth.IdentityToken != "" {
		return registry.Credential{RefreshToken: auth.IdentityToken}, nil
	}
	text, err := base64.StdEncoding.DecodeString(auth.Auth)
	user, password, _ := strings.Cut(string(text), ":")
	if err != nil || (user == "") != (password == "") {
		return registry.Credential{}, fmt.Errorf("no user and password for %s in Docker's configuration: log in again", host)
	}
	return registry.Credential{User: user, Password: password}, nil
}

// askHelper gets a credential from one of Docker's credential helpers.
//
// See https://github.com/docker/docker-credential-helpers
func askHelper(ctx context.Context, helper, key string) (registry.Credential, error) {
	program := "docker-credential-" + helper
	cmd := exec.CommandContext(ctx, program, "get")
	cmd.Stdin = strings.NewReader(key)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	if err != nil && strings.Contains(out.String(), "credentials not found") {
		return registry.Credential{}, nil
	}
	if err != nil {
		return registry.Credential{}, fmt.Errorf("%s for %s: %w: %s", program, key, err, strings.TrimSpace(problem.String()))
	}
	var c struct{ Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &c); err != nil || c.Secret == "" {
		return registry.Credential{}, fmt.Errorf("%s for %s: the answer is not a credential", program, key)
	}
	if c.Username == "<token>" {
		return registry.Credential{RefreshToken: c.Secret}, nil
	}
	return registry.Credential{User: c.Username, Password: c.Secret}, nil
}
