{{- define "cirrus.labels" -}}
app: collector
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "cirrus.selector" -}}
app: collector
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cirrus.image" -}}
{{- with .Values.image -}}
{{ if .registry }}{{ trimSuffix "/" .registry }}/{{ end }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- define "cirrus.secret" -}}
{{ .Values.apiKey.existingSecret | default "cloudzero-secret" }}
{{- end }}

{{- /* The port speaks TLS when the configuration says so. */}}
{{- define "cirrus.scheme" -}}
{{ if dig "tls" "cert_file" "" .Values.config }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{- /* "yes" when a bucket is written with the keys of a role, and not with keys from files. */}}
{{- define "cirrus.asksForKeys" -}}
{{- $destinations := append (.Values.config.destinations | default list) (.Values.config.destination | default dict) -}}
{{- range $destinations -}}
{{- if and (eq (toString .kind) "s3") (not .access_key_file) }}yes{{ end -}}
{{- end -}}
{{- end }}

{{- /* One of the two containers: role, port name, port number. */}}
{{- define "cirrus.container" -}}
{{- $root := .root -}}
- name: {{ .role }}
  image: {{ include "cirrus.image" $root }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  command: [/cloudzero/czctl, {{ .role }}, --config, /cloudzero/config/config.yml]
  {{- with $root.Values.extraEnv }}
  env: {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - {name: {{ .portName }}, containerPort: {{ .port }}}
  startupProbe:
    httpGet: {path: /livez, port: {{ .portName }}, scheme: {{ include "cirrus.scheme" $root }}}
    periodSeconds: 10
    failureThreshold: 30
  readinessProbe:
    httpGet: {path: /readyz, port: {{ .portName }}, scheme: {{ include "cirrus.scheme" $root }}}
    periodSeconds: 10
    failureThreshold: 3
  livenessProbe:
    httpGet: {path: /livez, port: {{ .portName }}, scheme: {{ include "cirrus.scheme" $root }}}
    periodSeconds: 30
    failureThreshold: 3
  lifecycle:
    preStop:
      # In both containers: each lives until nothing is left to send.
      exec:
        command:
          [/cloudzero/czctl, drain, --config, /cloudzero/config/config.yml, --timeout, {{ $root.Values.drainSeconds | quote }}]
  resources: {{- toYaml (index $root.Values.resources .role) | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
  volumeMounts:
    - {name: config, mountPath: /cloudzero/config, readOnly: true}
    - {name: secret, mountPath: /cloudzero/secret, readOnly: true}
    - {name: data, mountPath: {{ $root.Values.config.database.storage_path }}}
    {{- with $root.Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
