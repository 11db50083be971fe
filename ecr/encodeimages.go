package ecr

import (
	"maps"
	"slices"
	"strconv"

	"github.com/YaleSpinup/ecr-api/common"
)

// A list can have many thousand images, and encoding/json would need as long
// for them as all the rest of the request. So images write themselves. A test
// compares them with encoding/json.

// AppendJSON appends the image in JSON.
func (i *Image) AppendJSON(b []byte) []byte {
	if i == nil {
		return append(b, "null"...)
	}
	b = appendText(append(b, `{"ArtifactMediaType":`...), i.ArtifactMediaType)
	b = common.AppendJSONString(append(b, `,"ImageDigest":`...), i.ImageDigest)
	b = appendText(append(b, `,"ImageManifestMediaType":`...), i.ImageManifestMediaType)
	b = appendTime(append(b, `,"ImagePushedAt":`...), i.ImagePushedAt)
	b = i.ImageScanFindingsSummary.appendTo(append(b, `,"ImageScanFindingsSummary":`...))
	b = i.ImageScanStatus.appendTo(append(b, `,"ImageScanStatus":`...))
	b = appendInteger(append(b, `,"ImageSizeInBytes":`...), i.ImageSizeInBytes)
	b = common.AppendJSONStrings(append(b, `,"ImageTags":`...), i.ImageTags)
	b = common.AppendJSONString(append(b, `,"RegistryId":`...), i.RegistryID)
	b = common.AppendJSONString(append(b, `,"RepositoryName":`...), i.RepositoryName)
	return append(b, '}')
}

func (s *ScanFindingsSummary) appendTo(b []byte) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"FindingSeverityCounts":{`...)
	for n, severity := range slices.Sorted(maps.Keys(s.FindingSeverityCounts)) {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(common.AppendJSONString(b, severity), ':')
		b = strconv.AppendInt(b, s.FindingSeverityCounts[severity], 10)
	}
	b = appendTime(append(b, `},"ImageScanCompletedAt":`...), s.ImageScanCompletedAt)
	b = appendTime(append(b, `,"VulnerabilitySourceUpdatedAt":`...), s.VulnerabilitySourceUpdatedAt)
	return append(b, '}')
}

func (s *ScanStatus) appendTo(b []byte) []byte {
	if s == nil {
		return append(b, "null"...)
	}
	b = appendText(append(b, `{"Description":`...), s.Description)
	b = appendText(append(b, `,"Status":`...), s.Status)
	return append(b, '}')
}

func appendText(b []byte, text *string) []byte {
	if text == nil {
		return append(b, "null"...)
	}
	return common.AppendJSONString(b, *text)
}

func appendTime(b []byte, t *common.Timestamp) []byte {
	if t == nil {
		return append(b, "null"...)
	}
	return t.AppendTo(b)
}

func appendInteger(b []byte, n *int64) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, *n, 10)
}

// AppendJSON appends the id in JSON.
func (id ImageIdentifier) AppendJSON(b []byte) []byte {
	b = appendText(append(b, `{"ImageDigest":`...), id.ImageDigest)
	b = appendText(append(b, `,"ImageTag":`...), id.ImageTag)
	return append(b, '}')
}

// AppendJSON appends the failure in JSON.
func (f ImageFailure) AppendJSON(b []byte) []byte {
	b = f.ImageID.AppendJSON(append(b, `{"ImageId":`...))
	b = appendText(append(b, `,"FailureCode":`...), f.FailureCode)
	b = appendText(append(b, `,"FailureReason":`...), f.FailureReason)
	return append(b, '}')
}
