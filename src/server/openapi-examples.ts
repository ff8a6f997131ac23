/** An example of every body that is taken or given, by method and address; tests hold them against the schemas. */

const cat = 'data:image/jpeg;base64,/9j/4AAQSkZJRgABAQ…';

const picture = {
  id: '5b2c0f0e9a',
  image: '/photos/2023/beach.jpg',
  bytes: 2_481_322,
  width: 4032,
  height: 3024,
  orientation: 'landscape',
  modifiedAt: '2023-07-14T16:02:11.000Z',
  takenAt: '2023-07-14T18:02:11',
  camera: 'Canon EOS R5',
};

const hits = {
  hits: [{ ...picture, similarity: 0.31, probability: 0.94 }],
  total: 1,
  nothingFits: false,
  cutOff: 0.5,
};

const model = {
  id: 'eidos-small',
  object: 'model',
  created: 1_767_225_600,
  owned_by: 'eidos',
  embedding_size: 512,
  image_size: 224,
  context_length: 20,
  device: 'cpu',
  dtype: 'fp32',
  fingerprint: '0c1d2e3f4a5b6c7d',
};

export interface OperationExamples {
  /** Its JSON. */
  request?: unknown;
  /** Of the answer with status 200. */
  answer?: unknown;
}

export const operationExamples: Readonly<Record<string, OperationExamples>> = {
  'post /v1/embeddings': {
    request: { model: 'eidos-small', input: ['a dog in the snow', cat] },
    answer: {
      object: 'list',
      model: 'eidos-small',
      data: [
        { object: 'embedding', index: 0, embedding: [0.021, -0.043, 0.017] },
        { object: 'embedding', index: 1, embedding: [0.035, 0.002, -0.051] },
      ],
      usage: { prompt_tokens: 7, total_tokens: 7 },
    },
  },
  'post /v1/classify': {
    request: { images: [cat], labels: ['a dog', 'a cat'], topK: 2 },
    answer: {
      model: 'eidos-small',
      answers: [
        {
          image: 'picture 0',
          results: [
            { label: 'a cat', probability: 0.97, similarity: 0.29 },
            { label: 'a dog', probability: 0.03, similarity: 0.22 },
          ],
        },
      ],
    },
  },
  'get /v1/search': { answer: hits },
  'post /v1/search': {
    request: { q: '+beach -people', filters: { after: '2023', orientation: 'landscape' }, topK: 20 },
    answer: hits,
  },
  'get /v1/pictures': { answer: { pictures: [picture], total: 1 } },
  'get /v1/pictures/{id}': { answer: picture },
  'get /v1/pictures/{id}/similar': { answer: hits },
  'get /v1/pictures/{id}/keywords': {
    answer: { keywords: [{ keyword: 'beach', similarity: 0.28, probability: 0.41 }] },
  },
  'get /v1/index': {
    answer: {
      path: '/photos/.eidos-index',
      pictures: 4200,
      folders: ['/photos'],
      unreadable: [
        { image: '/photos/torn.jpg', error: { code: 'invalid_image', message: 'It is cut off.' } },
      ],
      unreadableCount: 1,
      model: { name: 'eidos-small', fingerprint: model.fingerprint, embeddingSize: 512 },
      version: 17,
      syncing: false,
    },
  },
  'post /v1/index/sync': {
    answer:
      'event: progress\ndata: {"stage":"embed","done":16,"total":120}\n\n' +
      'event: done\ndata: {"added":120,"changed":0,"moved":0,"removed":0,"unchanged":4080,"unreadableCount":0,"notRead":{"HEIC":3},"pictures":4200,"seconds":9.1}\n\n',
  },
  'get /metrics': {
    answer: '# HELP eidos_requests_total Requests that were answered.\n# TYPE eidos_requests_total counter\n',
  },
  'get /v1/models': { answer: { object: 'list', data: [model] } },
  'get /v1/models/{id}': { answer: model },
  'post /v1/session': { request: { apiKey: 'a key of this server' } },
  'get /healthz': { answer: { status: 'ok' } },
  'get /readyz': { answer: { status: 'ready', model: true, index: true, shuttingDown: false } },
};
