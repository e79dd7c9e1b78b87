{{- define "leasepair.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* The chart's name when the release has it too, else both; short enough for what is appended. */}}
{{- define "leasepair.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "leasepair.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "leasepair.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "leasepair.controllerName" -}}
{{ include "leasepair.fullname" . }}-controller
{{- end }}

{{/* The election's Lease. Each release has its own. One that runs keeps the name it has, and one of before the flag the name that
     all had: with another name an upgrade's new pod would lead beside the old one. */}}
{{- define "leasepair.leaseName" -}}
{{- $name := include "leasepair.controllerName" . }}
{{- with lookup "apps/v1" "Deployment" .Release.Namespace $name }}
{{- $name = "leasepair-controller" }}
{{- range (first .spec.template.spec.containers).args }}
{{- if hasPrefix "--leader-election-name=" . }}
{{- $name = trimPrefix "--leader-election-name=" . }}
{{- end }}
{{- end }}
{{- end }}
{{- $name }}
{{- end }}

{{- define "leasepair.selector" -}}
app.kubernetes.io/name: {{ include "leasepair.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "leasepair.testSelector" -}}
app.kubernetes.io/name: {{ include "leasepair.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end }}

{{- define "leasepair.labels" -}}
{{ include "leasepair.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: leasepair
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "leasepair.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "leasepair.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "leasepair.controllerName" .) }}
{{- else -}}
{{ required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* What the controller does in a namespace that it looks after. The rights on Roles are bounded by its own: Kubernetes lets
     nobody grant what he does not have, which is why some of these are the engines' rights. */}}
{{- define "leasepair.namespaceRules" -}}
- apiGroups: [leasepair.io]
  resources: [failoverrelationships, failovermembers, failoveroperations, dhcpscopes, dhcpreservationsets]
  verbs: [get, list, watch]
- apiGroups: [leasepair.io]
  resources: [failovermembers]
  verbs: [create, patch, delete]
- apiGroups: [leasepair.io]
  resources: [failoveroperations]
  verbs: [delete]
- apiGroups: [leasepair.io]
  resources:
    - failoverrelationships/status
    - failoveroperations/status
    - dhcpscopes/status
    - dhcpreservationsets/status
  verbs: [patch]
# Granted to each engine for its own member.
- apiGroups: [leasepair.io]
  resources: [failovermembers/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, delete]
# Created are only those that remove a store (storage.retain false).
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
# The link's keys, by name: it never lists or watches Secrets. Deleted is that of a member that runs elsewhere now.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, update, delete]
# By name, for its UID: one that was deleted and made anew has lost what said where the pairs' stores lie. A Role allows its own alone.
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
# The stores' claims. Never deleted here: they go with their owner, or by a human's hand.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create, patch]
# Listed only to find out why a StatefulSet makes no pod, or a claim gets no volume.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch, list]
{{- end }}
