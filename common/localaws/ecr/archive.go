package ecr

import (
	"time"

	"github.com/YaleSpinup/ecr-api/common/localaws/service"
)

// Statuses of an image.
const (
	imageActive     = "ACTIVE"
	imageArchived   = "ARCHIVED"
	imageActivating = "ACTIVATING" // on its way out of the archive
)

// isActive reports whether the image is not in the archive.
func (i *image) isActive() bool { return i.status == imageActive }

// setStatus moves an image into the archive or out of it, with its layers.
func (r *repository) setStatus(i *image, status string) {
	r.countArchived(i, -1)
	i.status = status
	r.countArchived(i, 1)
}

// countArchived adds n to the numbers of archived images that name the layers of
// an image, if it is an archived one.
func (r *repository) countArchived(i *image, n int) {
	if !i.isActive() {
		count(r.archived, i.manifest.blobs, n)
	}
}

// isArchived reports whether only archived images name a layer.
func (r *repository) isArchived(digest string) bool {
	return r.archived[digest] > 0 && r.archived[digest] == r.naming[digest]
}

// archive moves an active image into the archive.
func (r *repository) archive(i *image, now time.Time) {
	r.setStatus(i, imageArchived)
	i.archived = now
}

// restore brings an image back from the archive. It is as if it were pushed: what
// scans have found before is gone.
func (r *repository) restore(i *image, now time.Time) {
	r.setStatus(i, imageActive)
	i.activated = now
	r.scanPushed(i, now)
}

type updateImageStorageClassInput struct {
	scanInput
	Target string `json:"targetStorageClass"`
}

func (in updateImageStorageClassInput) Check(c *service.Request) error {
	if err := in.scanInput.Check(c); err != nil {
		return err
	}
	if in.Target != "STANDARD" && in.Target != "ARCHIVE" {
		return invalidParameter("targetStorageClass", "Member must satisfy enum value set: [STANDARD, ARCHIVE]")
	}
	return nil
}

type updateImageStorageClassOutput struct {
	RegistryID     string  `json:"registryId"`
	RepositoryName string  `json:"repositoryName"`
	ID             ImageID `json:"imageId"`
	Status         string  `json:"imageStatus"`
}

// updateImageStorageClass moves an image. That it comes back from the archive is
// answered with ACTIVATING, as ECR does, but it is back already.
func (s *Store) updateImageStorageClass(c *service.Request, in updateImageStorageClassInput) (any, error) {
	r, i, err := s.image(c, in.scanInput)
	if err != nil {
		return nil, err
	}
	out := updateImageStorageClassOutput{r.account, r.name, ImageID{i.digest, in.ID.Tag}, imageArchived}
	switch {
	case in.Target == "ARCHIVE" && i.isActive():
		r.archive(i, c.Now)
	case in.Target == "STANDARD" && i.status == imageArchived:
		out.Status = imageActivating
		r.restore(i, c.Now)
	default:
		return nil, service.Errorf("ImageStorageClassUpdateNotSupportedException", "The image with imageId %s in the repository "+
			"with name '%s' in the registry with id '%s' is %s and cannot be moved to the storage class %s",
			in.ID, r.name, r.account, i.status, in.Target)
	}
	return out, nil
}
