package reference_test

import (
	"fmt"

	"ocireffer/pkg/reference"
)

func ExampleParse() {
	r, err := reference.Parse("WasmCloud.azurecr.io/wash:0.18.1")
	fmt.Println(r, err)
	_, err = reference.Parse("team/app:1")
	fmt.Println(err)
	// Output:
	// wasmcloud.azurecr.io/wash:0.18.1 <nil>
	// reference "team/app:1" does not begin with a registry: for Docker Hub write "docker.io/team/app:1"
}

func ExampleParseName() {
	for _, s := range []string{"team/app", "wasmcloud.azurecr.io/wash", "a.b"} {
		n, err := reference.ParseName(s)
		fmt.Printf("%q of registry %q, %v\n", n.Repository, n.Registry, err)
	}
	// Output:
	// "team/app" of registry "", <nil>
	// "wash" of registry "wasmcloud.azurecr.io", <nil>
	// "a.b" of registry "", <nil>
}

func ExampleVersion_Key() {
	release, _ := reference.ParseVersion("0.18.1")
	fmt.Printf("%q\n", release.Key())
	prerelease, _ := reference.ParseVersion("1.2.0-rc.1")
	fmt.Printf("%q\n", prerelease.Key())
	// Output:
	// "a0b18a1 ~03"
	// "a1a2 -$rc#a1 03"
}

func ExampleParseVersion() {
	v, _ := reference.ParseVersion("v1.2.3-rc.1_build.5")
	fmt.Println(v)
	_, ok := reference.ParseVersion("latest")
	fmt.Println(ok)
	older, _ := reference.ParseVersion("1.9.0")
	newer, _ := reference.ParseVersion("1.10.0")
	fmt.Println(older.Key() < newer.Key())
	// Output:
	// 1.2.3-rc.1+build.5
	// false
	// true
}

func ExampleParseGlobs() {
	globs, err := reference.ParseGlobs("1.*, sha-????")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tag := range []string{"1.10.0", "sha-0116", "latest"} {
		fmt.Println(tag, globs.Match(tag))
	}
	// Output:
	// 1.10.0 true
	// sha-0116 true
	// latest false
}
