package iam

import (
	"crypto/rand"
	"encoding/xml"
	"slices"
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// maxKeys is how many access keys a user may have.
const maxKeys = 2

// keyOwner is the user of an access key, and when the key was last used. It is
// kept after the key was deleted.
type keyOwner struct {
	account, user string

	lastUsed        time.Time // zero means never
	service, region string
}

type createAccessKeyResult struct {
	XMLName  xml.Name `xml:"CreateAccessKeyResult"`
	UserName string   `xml:"AccessKey>UserName"`
	ID       string   `xml:"AccessKey>AccessKeyId"`
	Status   string   `xml:"AccessKey>Status"`
	Secret   string   `xml:"AccessKey>SecretAccessKey"`
	Created  string   `xml:"AccessKey>CreateDate"`
}

func (s *Store) createAccessKey(c *service.Request, in input) (any, error) {
	k := newKey(c.Now)
	var name string
	err := s.change(c, in, func(u *user) error {
		if len(u.keys) >= maxKeys {
			return exceeds("AccessKeysPerUser", maxKeys)
		}
		u.keys, name = append(u.keys, k), u.name
		return nil
	})
	if err != nil {
		return nil, err
	}
	return createAccessKeyResult{UserName: name, ID: k.id, Status: k.status, Secret: k.secret, Created: date(k.created)}, nil
}

func newKey(created time.Time) accessKey {
	return accessKey{"AKIA" + rand.Text()[:16], (rand.Text() + rand.Text())[:40], active, created}
}

type listAccessKeysResult struct {
	XMLName xml.Name       `xml:"ListAccessKeysResult"`
	Keys    list[shownKey] `xml:"AccessKeyMetadata"`
	pageEnd
}

type shownKey struct {
	UserName string `xml:"UserName"`
	ID       string `xml:"AccessKeyId"`
	Status   string `xml:"Status"`
	Created  string `xml:"CreateDate"`
}

func (s *Store) listAccessKeys(c *service.Request, in input) (any, error) {
	u, err := s.find(c, in)
	if err != nil {
		return nil, err
	}
	shown := make(map[string]shownKey)
	for _, k := range u.keys {
		shown[k.id] = shownKey{u.name, k.id, k.status, date(k.created)}
	}
	keys, end, err := page(s, c, in, shown)
	if err != nil {
		return nil, err
	}
	return listAccessKeysResult{Keys: keys, pageEnd: end}, nil
}

func (s *Store) updateAccessKey(c *service.Request, in input) (any, error) {
	return nil, s.change(c, in, func(u *user) error {
		k := u.key(in.Get(accessKeyID.name))
		if k == nil {
			return noSuchKey(in)
		}
		k.status = in.Get(status.name)
		return nil
	})
}

func (s *Store) deleteAccessKey(c *service.Request, in input) (any, error) {
	return nil, s.change(c, in, func(u *user) error {
		id := in.Get(accessKeyID.name)
		if u.key(id) == nil {
			return noSuchKey(in)
		}
		u.keys = slices.DeleteFunc(u.keys, func(k accessKey) bool { return k.id == id })
		return nil
	})
}

func noSuchKey(in input) error {
	return service.Errorf(codeNotFound, "The Access Key with id %s cannot be found.", in.Get(accessKeyID.name))
}

type getAccessKeyLastUsedResult struct {
	XMLName  xml.Name `xml:"GetAccessKeyLastUsedResult"`
	UserName string   `xml:"UserName"`
	Date     string   `xml:"AccessKeyLastUsed>LastUsedDate,omitempty"`
	Service  string   `xml:"AccessKeyLastUsed>ServiceName"`
	Region   string   `xml:"AccessKeyLastUsed>Region"`
}

// getAccessKeyLastUsed refuses a key that is not seen, as AWS does: whose user
// it is cannot be known, so nobody is allowed to ask. That is a guess where the
// caller may do everything.
func (s *Store) getAccessKeyLastUsed(c *service.Request, in input) (any, error) {
	id := in.Get(accessKeyID.name)
	name := s.userOfKey(c, id)
	if name == "" {
		return nil, c.Denied(s.onKey(c, in)[0], "")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[id]
	if k.lastUsed.IsZero() {
		return getAccessKeyLastUsedResult{UserName: name, Service: "N/A", Region: "N/A"}, nil
	}
	return getAccessKeyLastUsedResult{UserName: name, Date: date(k.lastUsed), Service: k.service, Region: k.region}, nil
}

// userOfKey returns the name of the user of an access key of the caller's
// account, "" if the key is not seen.
func (s *Store) userOfKey(c *service.Request, id string) string {
	owner := s.owner(id)
	if owner == nil || owner.account != c.Account {
		return ""
	}
	u := s.seen(owner.account, owner.user, c.Now)
	if u == nil || u.key(id) == nil {
		return ""
	}
	return u.name
}
