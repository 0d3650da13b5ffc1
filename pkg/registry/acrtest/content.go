package acrtest

import (
	"cmp"
	"slices"
	"time"
)

// A repository has its present content and, if the server lags, its earlier content.
type repository struct {
	versions []version // the last is the present one
}

type version struct {
	since time.Time
	content
}

// A content is what a repository contains. It is zero if the repository does not exist.
type content struct {
	created, lastUpdate time.Time
	tags                []tag      // sorted by name
	manifests           []manifest // sorted by digest
}

type tag struct {
	name, digest        string
	created, lastUpdate time.Time
	unlisted            bool
}

type manifest struct {
	digest, mediaType string
	created           time.Time
}

func (c content) exists() bool { return !c.created.IsZero() }

// grain is how long after a change of a repository's lastUpdateTime another push may
// leave it unchanged. 1.4 s were seen.
const grain = 2 * time.Second

func (c *content) findTag(name string) (int, bool) {
	return slices.BinarySearchFunc(c.tags, name, func(t tag, name string) int { return cmp.Compare(t.name, name) })
}

func (c *content) findManifest(digest string) (int, bool) {
	return slices.BinarySearchFunc(c.manifests, digest, func(m manifest, digest string) int { return cmp.Compare(m.digest, digest) })
}

// put pushes a tag. It does not change the time of an existing manifest.
func (c *content) put(name, digest string, at time.Time) {
	if !c.exists() {
		c.created = at
	}
	if at.Sub(c.lastUpdate) > grain {
		c.lastUpdate = at
	}
	if i, found := c.findManifest(digest); !found {
		c.manifests = slices.Insert(c.manifests, i, manifest{digest, "application/vnd.oci.image.manifest.v1+json", at})
	}
	i, found := c.findTag(name)
	if !found {
		c.tags = slices.Insert(c.tags, i, tag{name: name, created: at})
	}
	c.tags[i].digest, c.tags[i].lastUpdate, c.tags[i].unlisted = digest, at, false
}

// change changes a repository's content, and keeps the old content if the server lags.
func (s *Server) change(name string, change func(*content, time.Time)) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, now := s.add(name), stamp(s.now())
	if len(r.versions) == 0 {
		r.versions = []version{{}} // it did not exist before
	}
	next := r.versions[len(r.versions)-1]
	if s.rules.Lag != nil {
		next.tags, next.manifests = slices.Clone(next.tags), slices.Clone(next.manifests)
	} else {
		r.versions = nil
	}
	change(&next.content, now)
	next.since = now
	r.versions = append(r.versions, next)
	return now
}

// at returns the content at a time, or the oldest that is kept.
func (r *repository) at(t time.Time) content {
	for _, v := range slices.Backward(r.versions) {
		if !v.since.After(t) {
			return v.content
		}
	}
	if len(r.versions) == 0 {
		return content{}
	}
	return r.versions[0].content
}

// Push puts a tag on a digest, and returns the time that the registry records.
func (s *Server) Push(repository, tag, digest string) time.Time {
	return s.change(repository, func(c *content, now time.Time) { c.put(tag, digest, now) })
}

// Untag removes a tag and leaves its manifest. ACR sends no event.
func (s *Server) Untag(repository, tag string) {
	s.change(repository, func(c *content, _ time.Time) {
		if i, found := c.findTag(tag); found {
			c.tags = slices.Delete(c.tags, i, i+1)
		}
	})
}

// DeleteManifest deletes a manifest and all tags on it, and returns the time.
func (s *Server) DeleteManifest(repository, digest string) time.Time {
	return s.change(repository, func(c *content, _ time.Time) {
		if i, found := c.findManifest(digest); found {
			c.manifests = slices.Delete(c.manifests, i, i+1)
		}
		c.tags = slices.DeleteFunc(c.tags, func(t tag) bool { return t.digest == digest })
	})
}

// DeleteRepository deletes a repository, and returns the time.
func (s *Server) DeleteRepository(repository string) time.Time {
	return s.change(repository, func(c *content, _ time.Time) { *c = content{} })
}

// Restore brings back a soft-deleted tag with its old time. ACR sends no event.
func (s *Server) Restore(repository, tag, digest string, lastUpdate time.Time) {
	s.change(repository, func(c *content, now time.Time) {
		c.put(tag, digest, now)
		i, _ := c.findTag(tag)
		c.tags[i].lastUpdate = stamp(lastUpdate)
	})
}

// SetListEnabled sets whether a tag is listed, as a lock of all attributes does. It
// changes no time.
func (s *Server) SetListEnabled(repository, tag string, enabled bool) {
	s.change(repository, func(c *content, _ time.Time) {
		if i, found := c.findTag(tag); found {
			c.tags[i].unlisted = !enabled
		}
	})
}

// Tags returns the digests of a repository's tags, including unlisted ones.
func (s *Server) Tags(repository string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags := map[string]string{}
	if r := s.repositories[repository]; r != nil {
		for _, t := range r.at(stamp(s.now())).tags {
			tags[t.name] = t.digest
		}
	}
	return tags
}

// Repositories returns the names of the existing repositories, sorted.
func (s *Server) Repositories() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repositoriesAt(stamp(s.now()))
}

func (s *Server) repositoriesAt(t time.Time) []string {
	var names []string
	for _, name := range s.names {
		if s.repositories[name].at(t).exists() {
			names = append(names, name)
		}
	}
	return names
}
