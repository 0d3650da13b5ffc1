package dynamolocal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// version is the version of DynamoDB Local.
const version = "3.1.0"

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>ocireffer</groupId> <artifactId>dynamolocal</artifactId> <version>1</version>
  <dependencies><dependency>
    <groupId>software.amazon.dynamodb</groupId> <artifactId>DynamoDBLocal</artifactId> <version>` + version + `</version>
  </dependency></dependencies>
</project>
`

// jars returns the folder with DynamoDB Local and its libraries. On a user's first call,
// Maven downloads them, about 45 MB, into the user's cache.
func jars() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "ocireffer", "dynamodb-local-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	// go test runs several packages at once, and two Mavens may spoil each other's
	// downloads. An empty bbolt file serves as the lock between them. On every system,
	// opening it waits for the holder, and the system releases it if the holder dies.
	lock, err := bbolt.Open(dir+".lock", 0o600, nil)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	// Only a complete folder gets its final name: after an interrupted run Maven would
	// not notice that a jar is incomplete.
	partial := dir + ".partial"
	pomFile := filepath.Join(partial, "pom.xml")
	if err := errors.Join(
		os.RemoveAll(partial),
		os.Mkdir(partial, 0o755),
		os.WriteFile(pomFile, []byte(pom), 0o644),
	); err != nil {
		return "", err
	}
	_, err = output(exec.Command(mvn, "--batch-mode", "--quiet", "--file", pomFile,
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DincludeScope=runtime", "-DincludeTypes=jar", "-DoutputDirectory="+partial))
	if err != nil {
		return "", err
	}
	if err := os.Rename(partial, dir); err != nil {
		return "", err
	}
	return dir, nil
}

// output runs cmd and returns its standard output. An error contains what cmd printed.
func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%s: %w\n%s%s", filepath.Base(cmd.Path), err, out, exit.Stderr)
	}
	return out, err
}
