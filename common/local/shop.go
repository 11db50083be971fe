package local

import (
	"errors"
	"fmt"
	"time"

	"github.com/YaleSpinup/ecr-api/common"
	"github.com/YaleSpinup/ecr-api/common/localaws"
)

// The shop is a repository worth looking at: twenty images over a year. Both
// accounts have it. The first one's registry has basic scanning, and the second
// one's enhanced scanning.
const (
	shopGroup = "spindev-00002"
	shop      = shopGroup + "/shop"
)

const day = 24 * time.Hour

// seedShops adds the shop to both accounts.
func seedShops(aws *localaws.Server, c *common.Config) error {
	return errors.Join(
		aws.SetScanning(accounts[1], c.Account.Region, "ENHANCED"),
		seedShop(aws, c, accounts[0], false),
		seedShop(aws, c, accounts[1], true),
	)
}

func seedShop(aws *localaws.Server, c *common.Config, account string, enhanced bool) error {
	region, now := c.Account.Region, time.Now()
	err := aws.AddRepository(account, region, shop, map[string]string{
		"Name":           shop,
		"spinup:org":     c.Org,
		"spinup:spaceid": shopGroup,
	})
	images := append(shopReleases(now, enhanced), shopBuilds(now)...)
	for _, image := range append(images, shopIndex(now, enhanced)) {
		err = errors.Join(err, aws.AddImage(account, region, shop, image))
	}
	return err
}

// shopReleases returns an image for each month: v1.0 to v1.11.
func shopReleases(now time.Time, enhanced bool) (images []localaws.Image) {
	for month := range 12 {
		version := fmt.Sprintf("v1.%d", month)
		pushed := now.Add(-time.Duration(350-30*month) * day)
		images = append(images, localaws.Image{
			Tags: []string{version}, Files: shopFiles(version), PushedAt: pushed, PulledAt: pushed.Add(10 * day), Scan: shopScan(month, pushed, enhanced),
		})
	}
	return images
}

// shopScan returns the scan of a release. Each state that a scan can have is
// there, and v1.11 has a hundred findings.
func shopScan(month int, pushed time.Time, enhanced bool) *localaws.Scan {
	scan := &localaws.Scan{Enhanced: enhanced, CompletedAt: pushed.Add(time.Minute)}
	switch month {
	case 0:
		return nil // never scanned
	case 1:
		return &localaws.Scan{Enhanced: enhanced, Status: "FAILED", Description: "The scan failed."}
	case 2:
		return &localaws.Scan{Enhanced: enhanced, Status: "UNSUPPORTED_IMAGE", Description: "UnsupportedImageError: The operating system of the image is not supported."}
	case 3:
		return &localaws.Scan{Enhanced: enhanced, Status: map[bool]string{false: "IN_PROGRESS", true: "PENDING"}[enhanced]}
	case 10: // nothing was found
	case 11:
		scan.Findings = shopFindings(100, enhanced)
	default:
		scan.Findings = shopFindings(month, enhanced)
	}
	return scan
}

// shopBuilds returns three images that have lost their tag to a later one.
func shopBuilds(now time.Time) (images []localaws.Image) {
	for n, days := range []int{200, 100, 45} {
		images = append(images, localaws.Image{Files: shopFiles(fmt.Sprintf("build %d", n)), PushedAt: now.AddDate(0, 0, -days)})
	}
	return images
}

// shopIndex returns an index of two platforms, with an attestation and a
// signature. One of the platforms has findings.
func shopIndex(now time.Time, enhanced bool) localaws.Image {
	const oci = "application/vnd.oci.image.manifest.v1+json"
	pushed := now.Add(-10 * day)
	return localaws.Image{
		Tags: []string{"v2.0", "latest"}, PushedAt: pushed, PulledAt: now.Add(-day),
		Parts: []localaws.Image{
			{Files: shopFiles("v2.0 for amd64"), MediaType: oci, Scan: shopScan(10, pushed, enhanced)},
			{Files: shopFiles("v2.0 for arm64"), MediaType: oci, Architecture: "arm64", Scan: shopScan(5, pushed, enhanced)},
			{Files: map[string]string{"provenance.json": "{}\n"}, MediaType: oci, Attestation: true},
		},
		Referrers: []localaws.Image{{
			Files: map[string]string{"signature.txt": "signed\n"}, PushedAt: pushed,
			ArtifactType: "application/vnd.example.signature.v1",
		}},
	}
}

// shopFiles returns the files of an image, as welcome does.
func shopFiles(version string) map[string]string {
	return map[string]string{"shop.txt": "This is " + version + " of the shop.\n"}
}
