package acrtest

// The bodies of the answers, with the fields in recorded sessions.

type changeable struct {
	DeleteEnabled bool `json:"deleteEnabled"`
	WriteEnabled  bool `json:"writeEnabled"`
	ReadEnabled   bool `json:"readEnabled"`
	ListEnabled   bool `json:"listEnabled"`
}

type attributesAnswer struct {
	Registry       string     `json:"registry"`
	ImageName      string     `json:"imageName"`
	CreatedTime    string     `json:"createdTime"`
	LastUpdateTime string     `json:"lastUpdateTime"`
	ManifestCount  int        `json:"manifestCount"`
	TagCount       int        `json:"tagCount"`
	Changeable     changeable `json:"changeableAttributes"`
}

type tagBody struct {
	Name           string     `json:"name"`
	Digest         string     `json:"digest"`
	CreatedTime    string     `json:"createdTime"`
	LastUpdateTime string     `json:"lastUpdateTime"`
	Signed         bool       `json:"signed"`
	Changeable     changeable `json:"changeableAttributes"`
}

type tagsAnswer struct {
	Registry  string    `json:"registry"`
	ImageName string    `json:"imageName"`
	Tags      []tagBody `json:"tags"`
}

type tagAnswer struct {
	Registry  string  `json:"registry"`
	ImageName string  `json:"imageName"`
	Tag       tagBody `json:"tag"`
}

type manifestBody struct {
	Digest          string     `json:"digest"`
	ImageSize       int64      `json:"imageSize"` // of the image, not of the manifest
	CreatedTime     string     `json:"createdTime"`
	LastUpdateTime  string     `json:"lastUpdateTime"`
	Architecture    string     `json:"architecture"`
	OS              string     `json:"os"`
	MediaType       string     `json:"mediaType"`
	ConfigMediaType string     `json:"configMediaType"`
	Tags            []string   `json:"tags,omitempty"`
	Changeable      changeable `json:"changeableAttributes"`
}

type manifestsAnswer struct {
	Registry  string         `json:"registry"`
	ImageName string         `json:"imageName"`
	Manifests []manifestBody `json:"manifests"`
}

type manifestAnswer struct {
	Registry  string       `json:"registry"`
	ImageName string       `json:"imageName"`
	Manifest  manifestBody `json:"manifest"`
}

func attributesOf(c content, host, name string) attributesAnswer {
	return attributesAnswer{host, name, format(c.created), format(c.lastUpdate), len(c.manifests), listedTags(c), changeable{true, true, true, true}}
}

// listedTags returns a repository's tagCount. No recording shows whether ACR counts
// unlisted tags.
func listedTags(c content) int {
	n := 0
	for _, t := range c.tags {
		if !t.unlisted {
			n++
		}
	}
	return n
}

func tagOf(t tag) tagBody {
	on := !t.unlisted // a lock sets all four
	return tagBody{t.name, t.digest, format(t.created), format(t.lastUpdate), false, changeable{on, on, on, on}}
}

func (c content) manifestOf(m manifest) manifestBody {
	body := manifestBody{
		Digest: m.digest, ImageSize: 228854998, CreatedTime: format(m.created), LastUpdateTime: format(m.created),
		Architecture: "amd64", OS: "linux", MediaType: m.mediaType, ConfigMediaType: "application/vnd.oci.image.config.v1+json",
		Changeable: changeable{true, true, true, true},
	}
	for _, t := range c.tags {
		if t.digest == m.digest {
			body.Tags = append(body.Tags, t.name)
		}
	}
	return body
}
