/** A fault in the page itself: said, instead of an empty window. */
import { Component, type ReactNode } from 'react';
import { Trouble } from './trouble.tsx';

/** React asks for a class here: there is no hook that catches. */
export class Boundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state = { error: undefined as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    return error === undefined ? (
      this.props.children
    ) : (
      <Trouble error={error} onRetry={() => location.reload()} />
    );
  }
}
