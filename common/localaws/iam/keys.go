package iam

import (
	"crypto/rand"
	"encoding/xml"
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
