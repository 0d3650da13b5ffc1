package acrtest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Lifetimes of tokens in recorded sessions.
const (
	refreshLife   = 11700 * time.Second
	accessLife    = 4500 * time.Second
	anonymousLife = 1200 * time.Second
)

const anonymous = "acr_anon_pull"

// An access is an entry in an access token's claims.
type access struct {
	Type    string
	Name    string
	Actions []string
}

// claims are the claims of ACR's tokens that matter here.
type claims struct {
	Subject     string       `json:"sub"`
	Issuer      string       `json:"iss"`
	Audience    string       `json:"aud"`
	GrantType   string       `json:"grant_type"`
	IssuedAt    int64        `json:"iat"`
	NotBefore   int64        `json:"nbf"`
	Expires     int64        `json:"exp"`
	Access      []access     `json:"access,omitzero"`
	Permissions *permissions `json:"permissions,omitzero"`
	AADIdentity string       `json:"aad_identity,omitempty"` // set by a registry with ABAC
	Version     string       `json:"version"`
}

type permissions struct{ Actions []string }

// sign returns c as a JWT.
func (s *Server) sign(c claims, life time.Duration) string {
	now := s.now()
	c.Issuer, c.Version = "Azure Container Registry", "1.0"
	c.IssuedAt, c.NotBefore, c.Expires = now.Unix(), now.Unix(), now.Add(life).Unix()
	payload, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	body := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(payload)
	return body + "." + encode(s.mac(body))
}

func (s *Server) mac(body string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(body))
	return h.Sum(nil)
}

// verify returns the claims of a JWT that this server signed and that has not expired.
func (s *Server) verify(jwt, grantType string) (c claims, ok bool) {
	i := strings.LastIndexByte(jwt, '.')
	if i < 0 {
		return c, false
	}
	signature, err := base64.RawURLEncoding.DecodeString(jwt[i+1:])
	if err != nil || !hmac.Equal(signature, s.mac(jwt[:i])) {
		return c, false
	}
	_, part, _ := strings.Cut(jwt[:i], ".")
	payload, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return c, false
	}
	return c, c.GrantType == grantType && s.now().Unix() < c.Expires
}

// exchange is POST /oauth2/exchange: it exchanges an Entra token for a refresh token.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request, rules Rules) {
	identity := r.PostFormValue("access_token")
	if _, ok := rules.Entra[identity]; !ok || r.PostFormValue("grant_type") != "access_token" {
		unauthorizedToken(w)
		return
	}
	c := claims{Subject: identity, Audience: r.PostFormValue("service"), GrantType: "refresh_token", Permissions: &permissions{[]string{"read"}}}
	if rules.ABAC {
		c.AADIdentity = identity
	}
	tokenAnswer(w, "refresh_token", s.sign(c, refreshLife))
}

// token is GET or POST /oauth2/token: it issues an access token to a user, to the holder
// of a refresh token, or anonymously.
func (s *Server) token(w http.ResponseWriter, r *http.Request, rules Rules) {
	r.ParseForm()
	subject, user, ok := s.identify(r, rules)
	service, scopes := r.Form.Get("service"), strings.Fields(strings.Join(r.Form["scope"], " "))
	switch {
	case service != cmp.Or(rules.LoginServer, r.Host) || len(scopes) == 0:
		fail(w, http.StatusBadRequest, "UNSUPPORTED", "service and scope are required", nil)
		return
	case !ok:
		unauthorizedToken(w)
		return
	}
	granted := []access{} // the claims contain it even if it is empty
	for _, scope := range scopes {
		kind, rest, _ := strings.Cut(scope, ":")
		i := strings.LastIndexByte(rest, ':')
		if i < 0 {
			continue
		}
		name := rest[:i]
		actions := slices.DeleteFunc(strings.Split(rest[i+1:], ","), func(action string) bool {
			return !rules.allows(subject, user, kind, name, action)
		})
		if len(actions) > 0 {
			granted = append(granted, access{kind, name, actions})
		}
	}
	life := cmp.Or(rules.AccessLife, accessLife)
	if subject == anonymous {
		life = cmp.Or(rules.AnonymousLife, anonymousLife)
	}
	c := claims{Subject: subject, Audience: service, GrantType: "access_token", Access: granted}
	tokenAnswer(w, "access_token", s.sign(c, life))
}

// identify returns who requests a token.
func (s *Server) identify(r *http.Request, rules Rules) (subject string, u User, ok bool) {
	name, password, basic := r.BasicAuth()
	if !basic && r.Method == http.MethodPost {
		if r.Form.Get("grant_type") == "refresh_token" {
			c, valid := s.verify(r.Form.Get("refresh_token"), "refresh_token")
			u, known := rules.Entra[c.Subject]
			return c.Subject, u, valid && known
		}
		name, password = r.Form.Get("username"), r.Form.Get("password")
	}
	if name == "" {
		return anonymous, User{}, rules.Anonymous
	}
	u, ok = rules.Users[name]
	return name, u, ok && u.Password == password
}

// allows reports whether a user may do an action.
func (rules Rules) allows(subject string, u User, kind, name, action string) bool {
	switch {
	case kind == "registry":
		return name == "catalog" && action == "*" && u.Catalogue != Refused
	case kind != "repository" || subject == anonymous && action == "delete":
		return false
	case name == "*":
		return u.Repositories == nil && !rules.ABAC
	default:
		return u.Repositories == nil || slices.ContainsFunc(u.Repositories, func(pattern string) bool { return matches(pattern, name) })
	}
}

// authorize answers 401 with a challenge unless the request's token has the scope. It
// returns the token's user.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, rules Rules, kind, name, action string) (User, bool) {
	bearer, has := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	c, valid := s.verify(bearer, "access_token")
	if valid {
		for _, a := range c.Access {
			if a.Type == kind && matches(a.Name, name) && (slices.Contains(a.Actions, action) || slices.Contains(a.Actions, "*")) {
				u, known := rules.Users[c.Subject]
				if !known {
					u = rules.Entra[c.Subject]
				}
				return u, true
			}
		}
	}
	scheme, host := "https", cmp.Or(rules.LoginServer, r.Host)
	if r.TLS == nil && r.URL.Scheme != "https" {
		scheme = "http"
	}
	challenge := `Bearer realm="` + scheme + "://" + r.Host + `/oauth2/token",service="` + host + `",scope="` + kind + ":" + name + ":" + action + `"`
	if has {
		challenge += `,error="insufficient_scope"`
		if !valid {
			challenge = strings.Replace(challenge, "insufficient_scope", "invalid_token", 1)
		}
	}
	w.Header().Set("WWW-Authenticate", challenge)
	fail(w, http.StatusUnauthorized, "UNAUTHORIZED", authenticationRequired, []detail{{kind, name, action}})
	return User{}, false
}

const authenticationRequired = "authentication required, visit https://aka.ms/acr/authorization for more information."

func tokenAnswer(w http.ResponseWriter, name, jwt string) {
	w.Header().Del("Docker-Distribution-Api-Version")
	w.Header().Set("x-ms-ratelimit-remaining-calls-per-second", "166.25")
	write(w, http.StatusOK, map[string]string{name: jwt})
}

func unauthorizedToken(w http.ResponseWriter) {
	w.Header().Del("Docker-Distribution-Api-Version")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fail(w, http.StatusUnauthorized, "UNAUTHORIZED", authenticationRequired, nil)
}
